# What every tool is measured with: NAME PORT DELAY STOPPING EVENTS BYTES CLOCK.
# Listens DELAY s after its start and answers every HTTP request; takes STOPPING s to end after SIGTERM; SIGUSR1 makes it hang:
# it accepts connections and answers nothing. BYTES, if not 0, are printed first. Notes down in the file EVENTS, with the
# clock that the rig reads too (CLOCK_MONOTONIC), when it was spawned, listened, had printed, printed a line asked for by GET /line, was told to stop.
# CLOCK is the number of the system call clock_gettime on this machine.
# Perl starts in 2 ms where Python takes 15 and node 40, so that what is measured is the tool and not its services. Its
# modules Socket and Time::HiRes would take 7 ms more, at every start: hence Linux's own numbers.
use strict;

my ($PF_INET, $SOCK_STREAM, $SOL_SOCKET, $SO_REUSEADDR, $CLOCK_MONOTONIC) = (2, 1, 1, 2, 1);
my ($name, $port, $delay, $stopping, $events, $bytes, $clock) = @ARGV;
open my $journal, '>>', $events or die "$events: $!";
my $hung = 0;
my @kept;

sub note { syswrite $journal, sprintf("%s %s %s %d\n", $name, $_[0], now(), $$) }

sub now {
    my $time = pack 'q2', 0, 0;
    syscall($clock + 0, $CLOCK_MONOTONIC, $time) == 0 or die "clock_gettime: $!";
    my ($seconds, $nanoseconds) = unpack 'q2', $time;
    return sprintf '%d.%06d', $seconds, $nanoseconds / 1000;
}

sub rest { select undef, undef, undef, $_[0] if $_[0] > 0 }

note('spawned');
$SIG{TERM} = $SIG{INT} = sub { note('stopping'); rest($stopping); exit 0 };
$SIG{USR1} = sub { $hung = 1 };
$SIG{PIPE} = 'IGNORE';
rest($delay);

socket my $server, $PF_INET, $SOCK_STREAM, 0 or die "socket: $!";
setsockopt $server, $SOL_SOCKET, $SO_REUSEADDR, pack 'i', 1;
bind $server, pack('S n C4 x8', $PF_INET, $port, $ENV{BENCH_ANY} ? (0, 0, 0, 0) : (127, 0, 0, 1)) or die "bind $port: $!";
listen $server, 64;
note('listening');

if ($bytes) {
    my $line = ('0123456789abcdef' x 7) . "\n";
    my $block = $line x 64;
    for (my $left = $bytes; $left > 0; $left -= length $block) { print $block or die "print: $!" }
    $| = 1;
    print "the end\n";
    note('printed');
}
$| = 1;

while (1) {
    sleep 3600 while $hung;
    my $peer = accept my $client, $server or next;
    if ($hung) { push @kept, $client; next }
    sysread $client, my $request, 4096;
    if (defined $request && $request =~ m{^GET /line/(\w+)}) { note("line-$1"); print "line $1\n" }
    syswrite $client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    close $client;
}

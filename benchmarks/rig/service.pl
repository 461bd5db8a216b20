# What every tool is measured with: NAME PORT DELAY STOPPING EVENTS [BYTES].
# Listens DELAY s after its start and answers every HTTP request; takes STOPPING s to end after SIGTERM; SIGUSR1 makes it hang:
# it accepts connections and answers nothing. With BYTES it first prints so much. Notes down in the file EVENTS, with the
# clock that the rig reads too (CLOCK_MONOTONIC), when it was spawned, listened, had printed, printed a line asked for by GET /line, was told to stop.
# Perl starts in 2 ms where Python takes 15 and node 40, so that what is measured is the tool and not its services.
use strict;
use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

my ($name, $port, $delay, $stopping, $events, $bytes) = @ARGV;
open my $journal, '>>', $events or die "$events: $!";
my $hung = 0;
my @kept;

sub note { syswrite $journal, sprintf("%s %s %.6f %d\n", $name, $_[0], clock_gettime(CLOCK_MONOTONIC), $$) }

note('spawned');
$SIG{TERM} = $SIG{INT} = sub { note('stopping'); sleep $stopping if $stopping; exit 0 };
$SIG{USR1} = sub { $hung = 1 };
$SIG{PIPE} = 'IGNORE';
sleep $delay if $delay;

socket my $server, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
setsockopt $server, SOL_SOCKET, SO_REUSEADDR, 1;
bind $server, sockaddr_in($port, $ENV{BENCH_ANY} ? INADDR_ANY : INADDR_LOOPBACK) or die "bind $port: $!";
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

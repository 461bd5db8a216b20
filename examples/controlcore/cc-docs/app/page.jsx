export default function Start() {
  return (
    <article>
      <h1>Control who reaches what</h1>
      <p className="lead">
        Control Core keeps your access rules in one place. You write policies in the web UI, and a bouncer in front of
        each application enforces them on every request.
      </p>
      <h2>Try it on this machine</h2>
      <ol>
        <li>
          Open <a href="http://localhost:5173/">the web UI</a> and log in as <code>admin</code> with the password{' '}
          <code>controlcore-dev</code>.
        </li>
        <li>
          Visit <a href="http://localhost:8080/">the demo application</a> through the bouncer: the front page is public.
        </li>
        <li>
          Visit <a href="http://localhost:8080/payroll">its payroll</a>: a policy denies it.
        </li>
        <li>
          <a href="http://localhost:8002/">Sign up</a> for a sandbox API key and read a report with it:
        </li>
      </ol>
      <pre>
        <code>{'curl -H "X-Api-Key: $KEY" http://localhost:8080/reports/q3'}</code>
      </pre>
      <h2>Where things are</h2>
      <table>
        <thead>
          <tr>
            <th>Part</th>
            <th>Address</th>
            <th>What it does</th>
          </tr>
        </thead>
        <tbody>
          {[
            ['Web UI', 'localhost:5173', 'Shows and switches policies'],
            ['API', 'localhost:8000', 'Users, policies, decisions'],
            ['Signup', 'localhost:8002', 'Creates accounts'],
            ['Bouncer', 'localhost:8080', 'Guards the demo application'],
          ].map(([part, address, does]) => (
            <tr key={part}>
              <td>{part}</td>
              <td>
                <code>{address}</code>
              </td>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </article>
  )
}

export const metadata = { title: 'Bouncer' }

export default function Bouncer() {
  return (
    <article>
      <h1>The bouncer</h1>
      <p className="lead">A reverse proxy that shows every request to Control Core before your application sees it.</p>
      <table>
        <thead>
          <tr>
            <th>Answer</th>
            <th>Means</th>
          </tr>
        </thead>
        <tbody>
          {[
            ['200', 'A policy allowed it; the answer is the application’s'],
            ['403', 'A policy denied it, wanted a key, or none spoke of it'],
            ['502', 'Allowed, but the application does not answer'],
            ['503', 'Control Core cannot be asked, so nothing passes'],
          ].map(([answer, means]) => (
            <tr key={answer}>
              <td>
                <code>{answer}</code>
              </td>
              <td>{means}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        The application learns the caller from the header <code>X-ControlCore-Subject</code>.
      </p>
    </article>
  )
}

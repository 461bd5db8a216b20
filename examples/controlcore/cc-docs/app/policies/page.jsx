export const metadata = { title: 'Policies' }

export default function Policies() {
  return (
    <article>
      <h1>Policies</h1>
      <p className="lead">A policy allows or denies some methods on some paths. The first one that matches decides.</p>
      <pre>
        <code>{`deny  *        /payroll*
allow GET,HEAD /
allow GET      /reports*  with key`}</code>
      </pre>
      <h2>How a request is judged</h2>
      <ul>
        <li>Policies are asked in order of their position. One that is switched off is passed over.</li>
        <li>
          A <code>*</code> in a path stands for anything, also for more folders.
        </li>
        <li>
          <em>With key</em> means that the caller must send a valid API key, of the sandbox or of production.
        </li>
        <li>When no policy speaks of a request, the answer is no.</li>
      </ul>
    </article>
  )
}

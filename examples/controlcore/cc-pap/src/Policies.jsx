import { useEffect, useState } from 'react'
import { base, call } from './api.js'

export default function Policies({ session, onLeave }) {
  const [policies, setPolicies] = useState(null)
  const [problem, setProblem] = useState('')

  const failed = (error) => (error.status === 401 ? onLeave() : setProblem(error.message))

  useEffect(() => {
    let gone = false
    call('/policies', { token: session.token }).then(
      (rows) => gone || setPolicies(rows),
      (error) => gone || failed(error),
    )
    return () => {
      gone = true
    }
  }, [session.token])

  async function toggle(policy) {
    setProblem('')
    try {
      const changed = await call(`/policies/${policy.id}`, {
        method: 'PATCH',
        token: session.token,
        body: JSON.stringify({ enabled: !policy.enabled }),
      })
      setPolicies((rows) => rows.map((row) => (row.id === changed.id ? changed : row)))
    } catch (error) {
      failed(error)
    }
  }

  const active = policies?.filter((policy) => policy.enabled).length ?? 0

  return (
    <>
      <header className="top">
        <div className="brand">
          <img src="/mark.svg" alt="" />
          Control Core
        </div>
        <nav>
          <a href="http://localhost:3000/">Docs</a>
          <a href={String(new URL('/docs', base))}>API</a>
          <span className="who">{session.username}</span>
          <button className="quiet" onClick={onLeave}>
            Log out
          </button>
        </nav>
      </header>
      <main className="page">
        <h1>Policies</h1>
        <p className="soft">
          The bouncer asks them from top to bottom, and the first that matches decides.
          {policies && ` ${active} of ${policies.length} are active.`}
        </p>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        {policies && policies.length > 0 && (
          <ol className="policies">
            {policies.map((policy) => (
              <li key={policy.id} className={policy.enabled ? '' : 'off'}>
                <span className={`effect ${policy.effect}`}>{policy.effect}</span>
                <div className="what">
                  <h2>{policy.name}</h2>
                  <p>{policy.description}</p>
                  <code>
                    {policy.methods === '*' ? 'any method' : policy.methods.replaceAll(',', ' · ')} {policy.path}
                    {policy.needs_key && ' with an API key'}
                  </code>
                </div>
                <label className="switch">
                  <input
                    type="checkbox"
                    role="switch"
                    checked={policy.enabled}
                    onChange={() => toggle(policy)}
                    aria-label={`${policy.name} is active`}
                  />
                  <span />
                </label>
              </li>
            ))}
          </ol>
        )}
        {policies?.length === 0 && <p className="empty">No policies yet: the bouncer refuses everything.</p>}
        {!policies && !problem && <p className="empty">Loading…</p>}
      </main>
    </>
  )
}

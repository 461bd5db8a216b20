import { useState } from 'react'
import { call } from './api.js'

export default function Login({ onEnter }) {
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)

  async function submit(event) {
    event.preventDefault()
    setBusy(true)
    setProblem('')
    try {
      const given = Object.fromEntries(new FormData(event.target))
      onEnter(await call('/auth/login', { method: 'POST', body: JSON.stringify(given) }))
    } catch (error) {
      setProblem(error.message)
      setBusy(false)
    }
  }

  return (
    <main className="door">
      <form className="card" onSubmit={submit}>
        <div className="brand">
          <img src="/mark.svg" alt="" />
          Control Core
        </div>
        <h1>Log in</h1>
        <p className="soft">Manage who may reach what.</p>
        <label>
          Username
          <input name="username" autoComplete="username" required autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button className="primary" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <p className="foot soft">
          No account yet? <a href="http://localhost:8002/">Sign up</a>
        </p>
      </form>
    </main>
  )
}

import { useState } from 'react'
import { call } from './api.js'
import Login from './Login.jsx'
import Policies from './Policies.jsx'

const kept = 'controlcore.session'

export default function App() {
  const [session, setSession] = useState(() => JSON.parse(sessionStorage.getItem(kept) || 'null'))

  const enter = (opened) => {
    sessionStorage.setItem(kept, JSON.stringify(opened))
    setSession(opened)
  }
  const leave = () => {
    call('/auth/logout', { method: 'POST', token: session?.token }).catch(() => {})
    sessionStorage.removeItem(kept)
    setSession(null)
  }

  return session ? <Policies session={session} onLeave={leave} /> : <Login onEnter={enter} />
}

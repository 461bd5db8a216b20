export const base = import.meta.env.VITE_API || 'http://localhost:8000'

// What the API says, or an Error whose message a person can read.
export async function call(path, { token, ...options } = {}) {
  let answer
  try {
    answer = await fetch(new URL(path, base), {
      ...options,
      headers: {
        ...(options.body ? { 'Content-Type': 'application/json' } : {}),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
      },
    })
  } catch {
    throw new Error(`The API at ${base} does not answer.`)
  }
  const body = answer.status === 204 ? null : await answer.json().catch(() => null)
  if (!answer.ok) {
    const detail = typeof body?.detail === 'string' ? body.detail : `The API answered ${answer.status}.`
    throw Object.assign(new Error(detail), { status: answer.status })
  }
  return body
}

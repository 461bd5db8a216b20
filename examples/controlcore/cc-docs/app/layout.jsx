import Link from 'next/link'
import './style.css'

export const metadata = {
  title: { default: 'Control Core docs', template: '%s · Control Core docs' },
  description: 'How to write policies and put a bouncer in front of an application',
}

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <header>
          <Link className="brand" href="/">
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <rect width="32" height="32" rx="9" fill="#4338ca" />
              <path d="M21 11.5a7 7 0 1 0 0 9" fill="none" stroke="#fff" strokeWidth="3.4" strokeLinecap="round" />
            </svg>
            Control Core docs
          </Link>
          <nav>
            <Link href="/">Start</Link>
            <Link href="/policies">Policies</Link>
            <Link href="/bouncer">Bouncer</Link>
          </nav>
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}

import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))

/** @type {import('next').NextConfig} */
export default {
  // Without it Next guesses a workspace root from lock files in the folders above.
  turbopack: { root: here },
}

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// A fixed address: the API admits this origin only, and a port that is taken is an error rather than the next one up.
export default defineConfig({
  plugins: [react()],
  server: { host: '127.0.0.1', port: 5173, strictPort: true },
  preview: { host: '127.0.0.1', port: 5173, strictPort: true },
})

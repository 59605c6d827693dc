import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const server = process.env.PLUMBER_URL ?? 'http://127.0.0.1:52281'
const proxied = ['/api', '/events', '/health', '/install', '/logs', '/openapi.json', '/ready', '/rpc', '/session']

export default defineConfig({
  // Relative, so that one build works under any path: the server writes the page's <base>.
  base: './',
  plugins: [vue(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  define: { __VUE_OPTIONS_API__: false, __VUE_PROD_DEVTOOLS__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, { target: server }])) },
  // One browser for all files: making it took ten times as long as the tests.
  test: { environment: 'happy-dom', isolate: false, include: ['src/**/*.test.ts'] },
})

/** How the page is built: one script and one style sheet with hashed names, nothing inline, nothing from elsewhere. */
import { resolve } from 'node:path'
import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: resolve(import.meta.dirname, '../../dist/web'),
    emptyOutDir: true,
    target: 'es2022',
    // light-dark() stays as it is written
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // an inlined file would be a data: address, which the page's policy does not need to allow
    assetsInlineLimit: 0,
    modulePreload: false,
  },
})

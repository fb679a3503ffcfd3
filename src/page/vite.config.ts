import { defineConfig } from 'vite'

/** Builds the status page: one script, one style sheet, icons, with hashed names and addresses relative to the page. */
export default defineConfig({
  base: './',
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    // What the page uses, such as light-dark() and the methods of sets, came to all browsers by mid-2024.
    target: ['chrome123', 'firefox127', 'safari17.5'],
    // A data: address would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
})

import { defineConfig } from 'vite'

/** Builds the status page: one script, one style sheet, icons, with hashed names and addresses relative to the page. */
export default defineConfig({
  base: './',
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    // All browsers have had the features that the page uses, such as light-dark() and set methods, since mid-2024.
    target: ['chrome123', 'firefox127', 'safari17.5'],
    // A data: address would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    // The licences of the libraries in the script, which whoever copies the page has to pass on.
    license: { fileName: 'licenses.md' },
  },
})

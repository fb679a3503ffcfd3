import { testIn } from '../../support/page.ts'

await testIn('chromium')
await import('./tests/all.ts')

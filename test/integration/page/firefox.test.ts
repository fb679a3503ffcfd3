import { testIn } from '../../support/page.ts'

await testIn('firefox')
await import('./tests/all.ts')

import { effect } from '@preact/signals'
import { render } from 'preact'
import { followHistory, restorePlace } from './address/navigation.ts'
import { Page } from './page.tsx'
import { statusDocument } from './data/state.ts'
import { keepUpToDate } from './data/source.ts'

const place = document.getElementById('page')
if (place === null) throw new Error('index.html has no element #page')
render(<Page />, place)
followHistory()
const stop = effect(() => {
  if (statusDocument.value !== undefined) queueMicrotask(() => (stop(), restorePlace()))
})
keepUpToDate()

import { render } from 'preact'
import { Page } from './page.tsx'
import { keepUpToDate } from './source.ts'

const place = document.getElementById('page')
if (place === null) throw new Error('index.html has no element #page')
render(<Page />, place)
keepUpToDate()

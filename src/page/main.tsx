import { render } from 'preact'
import { Page } from './page.tsx'
import { keepUpToDate } from './source.ts'

const place = document.getElementById('page')
if (place === null) throw new Error('the page has no place in index.html')
render(<Page />, place)
keepUpToDate()

import fc from 'fast-check'
import t from 'tap'
import { linkTemplatesFor, linkTo } from '../../../src/views/links.ts'

const VALUES = { repo: 'base/rsyslog', server: 'web-1', branch: 'feature/a b', commit: 'f3a9c1d', file: 'a b/ü?.conf' }
const NAMES = ['repo', 'server', 'branch', 'commit', 'file'] as const

t.test('the templates of a repository are those of the first pattern that matches', async (t) => {
  const links = { 'rsys?og': { commit: 'a' }, 'rsys*': { commit: 'b', file: 'b' }, '*': { commit: 'c' } }
  t.same(linkTemplatesFor('rsyslog', links), { commit: 'a' }, 'and no others fill its gaps')
  t.same(linkTemplatesFor('rsystem', links), { commit: 'b', file: 'b' })
  t.same(linkTemplatesFor('nginx', links), { commit: 'c' })
  t.equal(linkTemplatesFor('nginx', { rsyslog: { commit: 'a' } }), undefined)
  t.equal(linkTemplatesFor('nginx', {}), undefined)
})

t.test('values are encoded; file and branch keep their slashes', async (t) => {
  const base = 'https://git.example.net'
  for (const [template, link] of [
    ['/{repo}/commit/{commit}', '/base%2Frsyslog/commit/f3a9c1d'],
    ['/src/{branch}/etc/{file}', '/src/feature/a%20b/etc/a%20b/%C3%BC%3F.conf'],
    [
      '?at={commit}&file={file}&server={server}#{commit}',
      '/?at=f3a9c1d&file=a%20b/%C3%BC%3F.conf&server=web-1#f3a9c1d',
    ],
    ['/about', '/about'],
  ] as const) {
    t.equal(linkTo(base + template, VALUES), base + link, template)
  }
  t.equal(linkTo('HTTP://git.example.net:80/{commit}', VALUES), 'http://git.example.net/f3a9c1d')
  t.equal(linkTo(`${base}/{commit}/`, { commit: '{file}', file: 'x' }), `${base}/%7Bfile%7D/`, 'a value is no template')
})

t.test('no link, if a value is missing or would leave its place', async (t) => {
  const template = 'https://git.example.net/src/{commit}/etc/{file}'
  t.type(linkTo(template, VALUES), 'string')
  for (const values of [
    { ...VALUES, commit: undefined },
    { ...VALUES, file: '' },
    { file: 'x' },
    { ...VALUES, commit: '..' },
    { ...VALUES, commit: '.' },
    { ...VALUES, file: '../../../login' },
    { ...VALUES, file: 'a/./b' },
    { ...VALUES, file: 'a/..' },
    { ...VALUES, file: '\uD800' },
  ]) {
    t.equal(linkTo(template, values), undefined, JSON.stringify(values))
  }
  t.type(linkTo(template, { ...VALUES, file: '..a/...', commit: '%2e%2e' }), 'string')
  t.equal(linkTo('https://git.example.net/a/.{file}', { file: './b' }), undefined, 'with the text beside it')
  t.equal(linkTo('https://git.example.net/a/%2E{file}', { file: '.' }), undefined)
  t.equal(linkTo('https://git.example.net/?file={file}', { file: '../b' }), undefined, 'nor in a query')
})

t.test('no link, if the template is not http or https, or a value would name the host', async (t) => {
  const others = { key: 'x', constructor: 'x' }
  for (const template of [
    '',
    '/{commit}',
    '//git.example.net/{commit}',
    'javascript:alert(1)//{commit}',
    'ftp://git.example.net/{commit}',
    ' https://git.example.net/{commit}',
    '{repo}://git.example.net/{commit}',
    'https://{repo}/{commit}',
    'https://git.example.net{repo}/{commit}',
    'https://{repo}@git.example.net/{commit}',
    'https:///{repo}/{commit}',
    'https://\\{repo}/{commit}',
    'https:/{repo}/{commit}',
    'https://\t/{repo}/x',
    'https://git.example.net/a/.\t{file}',
    'https://git.example.net/{unknown}',
    'https://git.example.net/{key}',
    'https://git.example.net/{}',
    'https://git.example.net/{constructor}',
    'https://git.example.net/{{commit}}',
    'https://git.example.net/{commit}/}',
    'https://git example.net/{commit}',
    'https://git.example.net:x/{commit}',
  ]) {
    t.equal(linkTo(template, { ...VALUES, ...others, repo: 'evil.example.net', file: './x' }), undefined, template)
  }
})

const anyValue = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[./\\%2eE:@?#&={}\t\n ;]*$/),
  fc.constantFrom(
    '//evil.example.net',
    '\\\\evil.example.net',
    'javascript:alert(1)',
    '@evil.example.net/',
    '%2e%2e',
    'x',
  ),
)
const anyValues = fc.record({ repo: anyValue, server: anyValue, branch: anyValue, commit: anyValue, file: anyValue })
const part = fc.constantFrom(...NAMES.map((name) => `{${name}}`), '.', '..', '%2e', '\\', '/', '//', '@', ':', 'a', 'b')

t.test('no value changes the origin, breaks out of its place, or makes another scheme', async () => {
  fc.assert(
    fc.property(fc.constantFrom(...NAMES), anyValues, (name, values) => {
      const link = linkTo(`https://git.example.net:8443/base/-/{${name}}/tail?x={${name}}#{${name}}`, values)
      if (link === undefined) return
      const { origin, username, pathname, search, hash } = new URL(link)
      const middle = pathname.slice('/base/-/'.length, -'/tail'.length)
      const expected = { origin: 'https://git.example.net:8443', username: '', name: values[name] }
      const inHash = decodeURIComponent(hash.slice(1))
      if (origin !== expected.origin || username !== '') throw new Error(link)
      if (pathname !== `/base/-/${middle}/tail` || decodeURIComponent(middle) !== values[name]) throw new Error(link)
      if (decodeURIComponent(search.slice('?x='.length)) !== values[name] || inHash !== values[name])
        throw new Error(link)
      if (name !== 'file' && name !== 'branch' && middle.includes('/')) throw new Error(link)
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), anyValues, (parts, values) => {
      const link = linkTo(`https://git.example.net/base/${parts.join('')}`, values)
      return link === undefined || link.startsWith('https://git.example.net/base/')
    }),
    { numRuns: 5000 },
  )
})

t.test('links are made of most values', async () => {
  const template = 'https://git.example.net/{repo}/{commit}/{file}'
  const names = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/(^|\/)\.{1,2}(\/|$)/.test(text))
  fc.assert(fc.property(names, (value) => linkTo(template, { repo: value, commit: value, file: value }) !== undefined))
})

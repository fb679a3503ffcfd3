import t from 'tap'
import { originForm } from '../../../src/http/request-target.ts'

t.test('a request target becomes a path and a query, whatever its form', async (t) => {
  const targets = {
    '/': '/',
    '/api/status?repo=a&server=b': '/api/status?repo=a&server=b',
    '//host/path': '//host/path',
    '/%2e%2e/x\\y': '/%2e%2e/x\\y',
    'http://host:8080/status.json?a=b': '/status.json?a=b',
    'HTTPS://user:password@host/a/../b': '/a/../b',
    'http://host': '/',
    'http://host?a=b': '/?a=b',
    'http://host#part': '/',
    '/status.json#part': '/status.json',
    '/a?b#c#d': '/a?b',
    '/a\u00a0': '/a%C2%A0',
    '*': '/*',
    '': '/',
  }
  for (const [target, expected] of Object.entries(targets)) t.equal(originForm(target), expected, target)
})

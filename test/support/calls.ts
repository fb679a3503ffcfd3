import { readlinkSync } from 'node:fs'
import promises, { type FileHandle, open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import type { Test } from 'tap'

/** What may be done before a call, with the path that it concerns. If it throws, the call fails with that. */
type Before = (path: string) => void | Promise<void>

/**
 * Does something right before each call of a function of `node:fs/promises`, as another program may at that moment. The
 * real function is called afterwards. Ends with the test.
 */
export function beforeCalls(t: Test, name: 'link' | 'open' | 'rename', before: Before): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what each of them takes is handed on as it came
  const real = promises[name] as (path: string, ...others: unknown[]) => Promise<unknown>
  const replace = (value: unknown): void => {
    Object.assign(promises, { [name]: value })
    syncBuiltinESMExports()
  }
  replace(async (path: string, ...others: unknown[]) => {
    await before(path)
    return real(path, ...others)
  })
  t.teardown(() => replace(real))
}

/** Does something right before each call of a method of an open file. Ends with the test. */
export async function beforeHandleCalls(
  t: Test,
  name: 'sync' | 'datasync' | 'truncate',
  before: Before,
): Promise<void> {
  const prototype = await handlePrototype()
  const real = prototype[name]
  prototype[name] = async function (this: FileHandle, ...args: []) {
    await before(readlinkSync(`/proc/self/fd/${this.fd}`))
    return real.apply(this, args)
  }
  t.teardown(() => (prototype[name] = real))
}

/** Does something the first time that the descriptor of an open file at a path is asked for. */
export async function beforeFirstUse(t: Test, path: string, act: () => void): Promise<void> {
  const prototype = await handlePrototype()
  const real = Object.getOwnPropertyDescriptor(prototype, 'fd')
  if (real === undefined) throw new Error('a FileHandle has no fd')
  const restore = (): void => void Object.defineProperty(prototype, 'fd', real)
  Object.defineProperty(prototype, 'fd', {
    configurable: true,
    get(this: FileHandle): unknown {
      const fd: unknown = real.get?.call(this)
      if (readlinkSync(`/proc/self/fd/${String(fd)}`) === path) {
        restore()
        act()
      }
      return fd
    },
  })
  t.teardown(restore)
}

async function handlePrototype(): Promise<FileHandle> {
  const handle = await open('/dev/null')
  await handle.close()
  return Object.getPrototypeOf(handle) as FileHandle
}

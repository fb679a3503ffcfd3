import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { VolumeFiles } from '../../src/store/volume-files.ts'

/**
 * A directory of a test's own, with these files in it. Unlike tap's `testdir` it outlives what was started in it: tap
 * runs teardowns last to first, but removes its own directories before them. A process that has been killed may still write
 * for a moment.
 */
export function directory(t: Test, files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'gitops-status-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text)
  return path
}

/** How many files of a directory this process holds open. */
export function openFilesIn(place: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return links.filter((link) => link.startsWith(`${place}/`)).length
}

/** The files of a volume of this machine, or of one that other machines change and that cannot exchange names. */
export function filesOf(kind: 'local' | 'network'): VolumeFiles {
  const isLocal = kind === 'local'
  const edits = isLocal ? 'events' : 'polling'
  const files = new VolumeFiles()
  files.adaptTo({ exchange: isLocal, hardLinks: true, edits })
  return files
}

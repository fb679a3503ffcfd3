import { access, readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { basename, join } from 'node:path'
import { readDocument } from '../status/saved-document.ts'
import type { DisplacedFile } from './displaced.ts'
import { FILE_MODE, type FileState, digestOf, syncDirectory, writeDurably } from './durable-file.ts'
import { codeOf } from './store-error.ts'
import type { VolumeFiles } from './volume-files.ts'

/** The document. */
export const STATUS_FILE = 'status.json'
/** Version 0.1 kept a copy of the last committed document here. */
const LEGACY_COPY_FILE = 'status.copy.json'
const SCHEMA_FILE = 'status.schema.json'

/** Prefix of files that only servers use. */
const PRIVATE = '.status.commit.'
/**
 * A staged file is named after the digests of the text that it replaces and of its own content. After the exchange the
 * name holds the replaced text, so the name tells what a file is that a crash has left.
 */
const STAGED = /^\.status\.commit\.([\w-]+)\.([\w-]+)(?:\.kept\d*|\.undone)?$/

/** A server settles what it has displaced within seconds; a file that is left for this long, in ms, is an orphan. */
const ORPHAN_AGE_MS = 10_000

/** A private name that was never used: a client of a network file system would open the file that it remembers under an old one. */
export function newPrivateName(): string {
  return `${PRIVATE}${randomUUID()}`
}

/** Number of rejected texts that are kept; the oldest are removed first. */
const REJECTED_MAX = 20
const REJECTED = /^status\.rejected-.*\.json$/

/** The data directory: its names, and how its files are staged, put in place, set aside and recovered. */
export class Directory {
  readonly path: string
  readonly files: VolumeFiles
  /** Private files of others: since when each is as it is, on the clock of `performance.now()`. */
  #orphans: ReadonlyMap<string, number> = new Map()

  constructor(path: string, files: VolumeFiles) {
    this.path = path
    this.files = files
  }

  /** Reads `status.json`, which probably holds `expected`; `undefined` if there is none. */
  async readStatus(expected?: Buffer): Promise<FileState | undefined> {
    return this.files.access.read(this.#in(STATUS_FILE), expected)
  }

  /** True if `status.json` is certain to be as it was when it was read. */
  async isStatusUnchanged(state: FileState | undefined): Promise<boolean> {
    return this.files.access.isUnchanged(this.#in(STATUS_FILE), state)
  }

  /**
   * Writes a new document beside `status.json` and waits until its content is on disk.
   *
   * @param replaces what `status.json` holds now
   * @returns the path of the staged file
   */
  async stage(bytes: Buffer, replaces: FileState | undefined): Promise<string> {
    const replaced = replaces === undefined ? 'none' : digestOf(replaces.bytes)
    const staged = this.#in(`${PRIVATE}${replaced}.${digestOf(bytes)}`)
    await writeDurably(staged, bytes, { mode: replaces?.mode ?? FILE_MODE, calls: this.files.access.calls })
    return staged
  }

  /**
   * Puts a staged file in the place of `status.json`. The change survives a power cut after `sync`.
   *
   * @returns the private names of what was displaced, oldest first; more than one if another program saved meanwhile
   */
  async place(staged: string): Promise<string[]> {
    return this.files.placement.place(staged, this.#in(STATUS_FILE))
  }

  /** Opens what a commit has displaced, which is probably what it has replaced. */
  async openDisplaced(paths: readonly string[], replaced: FileState | undefined): Promise<DisplacedFile[]> {
    return Promise.all(paths.map(async (path) => this.files.access.openDisplaced(path, replaced?.bytes)))
  }

  /** Puts what was displaced back. Returns what was in its place, if it is not the staged file: a text saved since. */
  async undoPlace(staged: string, bytes: Buffer, displaced: readonly string[]): Promise<DisplacedFile | undefined> {
    const path = await this.files.placement.undo(staged, this.#in(STATUS_FILE), displaced)
    const file = await this.files.access.openDisplaced(path)
    if (!file.state.bytes.equals(bytes)) return file
    await file.close()
    await this.discard(path)
    return undefined
  }

  async discard(path: string): Promise<void> {
    await rm(path, { force: true })
  }

  /** Waits until the names in the directory are on disk. */
  async sync(): Promise<void> {
    await syncDirectory(this.path, this.files.access.calls)
  }

  /**
   * Keeps a text as `status.rejected-<time>.json`, byte for byte.
   *
   * @param path its private file
   * @param bytes the text, in case the file has lost its name
   * @returns the new name
   */
  async setAside(path: string, bytes: Buffer): Promise<string> {
    const time = new Date().toISOString().replaceAll(/[-:]/g, '')
    let name = `status.rejected-${time}.json`
    for (let next = 1; await this.has(name); next += 1) name = `status.rejected-${time}-${next}.json`
    try {
      await rename(path, this.#in(name))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      await this.#write(name, bytes)
    }
    await this.#removeOldRejected(name)
    return name
  }

  async has(name: string): Promise<boolean> {
    try {
      await access(this.#in(name))
      return true
    } catch {
      return false
    }
  }

  /** Tries to write as many bytes as a commit would. The caller holds the lock. */
  async probe(bytes: Buffer): Promise<void> {
    const path = this.#in(newPrivateName())
    await writeDurably(path, bytes)
    await unlink(path)
    await this.sync()
  }

  /**
   * Removes what a killed server has left. The caller holds the lock.
   *
   * @returns unread displaced files: edits, or invalid texts that were not set aside
   */
  async recover({ isOwn, isStarting, mergedTexts }: Recovery): Promise<DisplacedFile[]> {
    const unread: DisplacedFile[] = []
    for (const { path, isOrphan } of await this.#listPrivate(isOwn)) {
      if (!isOrphan && !isStarting) continue
      const [, replaced, staged] = STAGED.exec(basename(path)) ?? []
      // A file that cannot be opened is not a server's.
      const file =
        replaced === undefined ? undefined : await this.files.access.openDisplaced(path).catch(() => undefined)
      if (replaced !== undefined && file === undefined) continue
      const isUnread = file !== undefined && !isDone(file.state, replaced, staged)
      if (isUnread && !(await mergedTexts()).has(digestOf(file.state.bytes))) unread.push(file)
      else {
        await file?.close()
        // A server that is alive may still watch it by its name.
        if (isOrphan || !this.files.access.watchesByName) await this.discard(path)
      }
    }
    return unread
  }

  /** True if another server was killed and has left a file. */
  async hasOrphans(isOwn: (path: string) => boolean): Promise<boolean> {
    return (await this.#listPrivate(isOwn)).some(({ isOrphan }) => isOrphan)
  }

  /**
   * Lists the private files that are not this server's own. One that has not changed while this server watched it for some
   * time is an orphan: the clocks of other machines say nothing.
   */
  async #listPrivate(isOwn: (path: string) => boolean): Promise<{ path: string; isOrphan: boolean }[]> {
    const now = performance.now()
    const names = (await readdir(this.path)).filter((name) => name.startsWith(PRIVATE))
    const paths = names.map((name) => this.#in(name)).filter((path) => !isOwn(path))
    const changed = await Promise.all(paths.map(async (path) => changedAt(path)))
    const found = paths.map((path, index) => ({ path, key: `${path} ${changed[index]}` }))
    this.#orphans = new Map(found.map(({ key }) => [key, this.#orphans.get(key) ?? now]))
    return found.map(({ path, key }) => ({ path, isOrphan: now - (this.#orphans.get(key) ?? now) >= ORPHAN_AGE_MS }))
  }

  /** Writes the JSON Schema that `$schema` in the document names. */
  async writeSchema(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    const found = await this.files.access.read(this.#in(SCHEMA_FILE))
    if (found?.bytes.equals(bytes) !== true) await this.#write(SCHEMA_FILE, bytes)
  }

  /** The copy of the last committed document that version 0.1 has left. */
  async readLegacyCopy(): Promise<FileState | undefined> {
    return this.files.access.read(this.#in(LEGACY_COPY_FILE))
  }

  /** True while a server of version 0.1 runs on the directory: only that version writes a copy, at each commit. */
  async hasLegacyCopy(): Promise<boolean> {
    return this.has(LEGACY_COPY_FILE)
  }

  async removeLegacyCopy(): Promise<void> {
    await this.discard(this.#in(LEGACY_COPY_FILE))
  }

  /** Removes the oldest rejected texts, by the time of their renaming: the clock may have been set back since. */
  async #removeOldRejected(newest: string): Promise<void> {
    const names = (await readdir(this.path)).filter((name) => REJECTED.test(name) && name !== newest)
    const changed = await Promise.all(names.map(async (name) => changedAt(this.#in(name))))
    const oldest = names
      .map((name, index) => ({ name, at: changed[index] ?? 0 }))
      .toSorted((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1))
    const surplus = Math.max(names.length + 1 - REJECTED_MAX, 0)
    for (const { name } of oldest.slice(0, surplus)) await this.discard(this.#in(name))
  }

  /** Not written under its own name: write-file-atomic would give it the old file's owner, which root on NFS may not. */
  async #write(name: string, bytes: Buffer): Promise<void> {
    const staged = this.#in(newPrivateName())
    await writeDurably(staged, bytes)
    await rename(staged, this.#in(name))
  }

  #in(name: string): string {
    return join(this.path, name)
  }
}

export interface Recovery {
  /** True for a private file of this server. */
  readonly isOwn: (path: string) => boolean
  /** True if unread files are taken at once: this server itself may have been killed. */
  readonly isStarting: boolean
  /** Digests of the texts that commits have merged; called only if there is an unread file. */
  readonly mergedTexts: () => Promise<ReadonlySet<string>>
}

/** The time at which a file or its name changed, in ms since the epoch; `undefined` if it is gone. */
async function changedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ctimeMs
  } catch {
    return undefined
  }
}

/** True if a file is staged and was never put in place, or was displaced and its text is merged. */
function isDone({ bytes }: FileState, replaced: string | undefined, staged: string | undefined): boolean {
  const digest = digestOf(bytes)
  return digest === staged || (digest === replaced && readDocument(bytes, Date.now()).ok)
}

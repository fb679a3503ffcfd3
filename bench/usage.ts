import { readFileSync } from 'node:fs'

/** Linux counts the time of a process in hundredths of a second (getconf CLK_TCK). */
const TICKS_PER_SECOND = 100

/** The resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  return memoryMiB(pid, /VmRSS:\s+(\d+)/)
}

/** The most resident memory that a process has had, in MiB. */
export function peakMiB(pid: number): number {
  return memoryMiB(pid, /VmHWM:\s+(\d+)/)
}

/** proc(5): the numbers are in KiB. */
function memoryMiB(pid: number, line: RegExp): number {
  return Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** The time that a process has had of a core, in the kernel and out of it, in seconds. */
export function cpuSeconds(pid: number): number {
  // proc(5): the name in brackets may hold anything; utime and stime are the 12th and 13th of what follows it.
  const [, fields = ''] = /\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const [user = '', system = ''] = fields.split(' ').slice(11)
  return (Number(user) + Number(system)) / TICKS_PER_SECOND
}

/** Bytes that a process has caused to be written to storage, in whole pages. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
}

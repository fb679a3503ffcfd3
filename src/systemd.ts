import { execFile } from 'node:child_process'
import type { Logger } from 'pino'

/**
 * Tells systemd that the server answers, if it was started by a unit of `Type=notify`. Node cannot send a datagram to a Unix
 * socket, so systemd's own program does it.
 */
export function notifyReady(url: string, log: Logger): void {
  if ((process.env['NOTIFY_SOCKET'] ?? '') === '') return
  execFile('systemd-notify', ['--ready', `--status=listening on ${url}`], (error) => {
    if (error !== null) log.warn({ err: error }, 'systemd not notified')
  })
}

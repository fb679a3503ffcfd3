import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'

/**
 * Makes a log: one JSON object a line, with the level as a word. Log viewers do not know the numbers that Pino writes
 * otherwise. What happened is in `msg`, a fixed text; the data is in the other fields.
 */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = { level, formatters: { level: (label: string) => ({ level: label }) } }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/**
 * Standard output as the destination of a log.
 *
 * @param format json: one JSON object a line; text: as people read it; by default text on a terminal, else json
 */
export function standardOutput(format: 'json' | 'text' | undefined): DestinationStream | undefined {
  const isText = format === undefined ? process.stdout.isTTY : format === 'text'
  return isText ? pretty({ ignore: 'pid,hostname', colorize: process.stdout.isTTY, sync: true }) : undefined
}

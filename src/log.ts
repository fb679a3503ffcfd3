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

/** Writes the lines of a log to standard output as people read them. */
export function terminal(): DestinationStream {
  return pretty({ ignore: 'pid,hostname' })
}

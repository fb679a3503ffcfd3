import { spawnSync } from 'node:child_process'
import { needs } from './machine.ts'

/** The options of a test that installs packages from the registry of npm. */
export const REGISTRY = needs('npm', 'git', {
  there: spawnSync('npm', ['view', 'node', 'version']).status === 0,
  what: 'access to the registry of npm',
  program: 'npm',
})

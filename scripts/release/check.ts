/*
 * Checks whether a tag can be released, and prints what the release needs to know of it: npm run --silent release:check -- v1.2.3
 * Each line of the output is one NAME=VALUE. Everything that is in the way goes to stderr, and the exit code is 1.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { repository, version } from '../../src/project.ts'
import { sectionOf } from './changelog.ts'

/** The image and the chart are beside the code, in GitHub's registry of containers. */
const REGISTRY = 'ghcr.io'
export const CHANGELOG = 'CHANGELOG.md'
export const CHART = 'deploy/helm/gitops-status-server/Chart.yaml'
const KUSTOMIZE = 'deploy/kubernetes'

/** What keeps a tag from being released: nothing if the list is empty. */
export function obstacles(tag: string): string[] {
  return [...faultsOfAddress(), ...faultsOfVersion(tag), ...faultsOfChangelog()]
}

/** What the steps of a release need to know. */
export interface Plan {
  readonly version: string
  readonly channel: string
  /** The name of the image, without a tag. */
  readonly image: string
  /** The names with a tag that the image gets, with commas between them. */
  readonly tags: string
  /** Where the chart goes. */
  readonly charts: string
  /** The address of the repository. */
  readonly source: string
}

export function plan(): Plan {
  // The registry wants lower case.
  const image = `${REGISTRY}${new URL(repository).pathname.toLowerCase()}`
  const channel = channelOf(version, releasedTags())
  const tags = [version, ...(channel === 'next' ? [] : [lineOf(version)]), ...(channel === 'latest' ? [channel] : [])]
  return {
    version,
    channel,
    image,
    tags: tags.map((each) => `${image}:${each}`).join(','),
    charts: `oci://${image}/charts`,
    source: repository,
  }
}

/**
 * The name under which users find a version without naming it: `latest` for the newest, `next` for a version before a release, and
 * `release-1.2` for the newest of an older line.
 */
export function channelOf(released: string, tags: readonly string[]): string {
  if (released.includes('-')) return 'next'
  const newer = tags.some((tag) => !tag.includes('-') && isNewer(tag.slice(1), released))
  return newer ? `release-${lineOf(released)}` : 'latest'
}

function isNewer(one: string, other: string): boolean {
  return one.localeCompare(other, 'en', { numeric: true }) > 0
}

function lineOf(released: string): string {
  return released.split('.').slice(0, 2).join('.')
}

function releasedTags(): string[] {
  return execFileSync('git', ['tag', '--list', 'v[0-9]*'], { encoding: 'utf8' }).split('\n').filter(Boolean)
}

function faultsOfAddress(): string[] {
  if (new URL(repository).host.endsWith('.example'))
    return [`package.json: repository.url is still a placeholder: ${repository}`]
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env
  if (name === undefined || repository === `${server}/${name}`) return []
  return [`package.json: repository.url is ${repository}, and this is ${server}/${name}`]
}

function faultsOfVersion(tag: string): string[] {
  const { version: locked }: { version: string } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const versions = {
    [`the tag ${tag}`]: tag.replace(/^v/, ''),
    'package-lock.json': locked,
    ...versionsOfChart(),
    ...versionsOfKustomize(),
  }
  return Object.entries(versions)
    .filter(([, each]) => each !== version)
    .map(([place, each]) => `package.json has the version ${version}, and ${place} has ${each}`)
}

function versionsOfChart(): Record<string, string> {
  const chart: { version: string; appVersion: string } = parse(readFileSync(CHART, 'utf8'))
  return { [`${CHART} (version)`]: chart.version, [`${CHART} (appVersion)`]: chart.appVersion }
}

function versionsOfKustomize(): Record<string, string> {
  const tags = kustomizations().flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/^ *newTag: (.*)$/gm)].map(([, tag = '']) => [file, tag]),
  )
  return Object.fromEntries(tags)
}

/** The files that name the tag of the image. */
export function kustomizations(): string[] {
  return readdirSync(KUSTOMIZE, { recursive: true, encoding: 'utf8' })
    .filter((name) => basename(name) === 'kustomization.yaml')
    .map((name) => join(KUSTOMIZE, name))
}

function faultsOfChangelog(): string[] {
  const section = sectionOf(readFileSync(CHANGELOG, 'utf8'), version)
  if (section === undefined || section.text === '') return [`${CHANGELOG} has no section [${version}]`]
  return /^\d{4}-\d\d-\d\d$/.test(section.date)
    ? []
    : [`${CHANGELOG}: [${version}] needs a date in place of ${section.date}`]
}

if (process.argv[1] === import.meta.filename) {
  const [, , tag = ''] = process.argv
  const found = obstacles(tag)
  for (const each of found) process.stderr.write(`${each}\n`)
  if (found.length > 0) process.exit(1)
  for (const [name, value] of Object.entries(plan())) process.stdout.write(`${name}=${value}\n`)
}

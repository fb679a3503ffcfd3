import { isDeepStrictEqual } from 'node:util'

/** The properties of an object of JSON. */
export type Properties = Readonly<Record<string, unknown>>

/**
 * The properties of `now` with what differs between `before` and `copy` applied to them. Objects are merged in depth, other
 * values are taken as a whole.
 *
 * @param lists the names of the properties whose arrays are merged item by item
 */
export function mergeProperties(
  now: Properties,
  copy: Properties,
  before: Properties,
  lists: ReadonlySet<string> = new Set(),
): Properties {
  const names = [...new Set([...Object.keys(copy), ...Object.keys(now)])]
  const merged = names.map((name) => {
    const values = [valueOf(now, name), valueOf(copy, name), valueOf(before, name)] as const
    return [name, mergeValue(...values, lists, lists.has(name))] as const
  })
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined))
}

/** The value of a property, and never one that every object inherits. */
export function valueOf(properties: Properties | undefined, name: string): unknown {
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
}

function mergeValue(
  now: unknown,
  copy: unknown,
  before: unknown,
  lists: ReadonlySet<string>,
  isByItem: boolean,
): unknown {
  if (isDeepStrictEqual(copy, before)) return now
  if (isObject(now) && isObject(copy)) return mergeProperties(now, copy, isObject(before) ? before : {}, lists)
  if (isByItem && isList(now) && isList(copy)) return mergeLists(now, copy, isList(before) ? before : [], lists)
  return copy
}

/** Items that one side removed are gone, and items that one side added are there, in the order of the copy. */
function mergeLists(now: List, copy: List, before: List, lists: ReadonlySet<string>): List {
  if (areByRepo(now) && areByRepo(copy) && areByRepo(before)) {
    return Object.values(mergeProperties(byRepo(now), byRepo(copy), byRepo(before), lists))
  }
  const [inNow, inCopy, inBefore] = [now, copy, before].map((list) => new Set(list.map((each) => JSON.stringify(each))))
  const kept = copy.filter((each) => !has(inBefore, each) || has(inNow, each))
  return [...kept, ...now.filter((each) => !has(inBefore, each) && !has(inCopy, each))]
}

function has(texts: ReadonlySet<string> | undefined, item: unknown): boolean {
  return texts?.has(JSON.stringify(item)) === true
}

/** True if every item is about a repository of its own, as in `expected`: such items are merged in depth. */
function areByRepo(list: List): list is readonly { readonly repo: string }[] {
  const repos = list.flatMap((each) => (isObject(each) && typeof each['repo'] === 'string' ? each['repo'] : []))
  return new Set(repos).size === list.length && list.every((each) => isObject(each) && isList(each['servers']))
}

function byRepo(list: readonly { readonly repo: string }[]): Properties {
  // A prefix keeps names such as 10 from being sorted as numbers, and __proto__ from being special.
  return Object.fromEntries(list.map((each) => [`repo ${each.repo}`, each]))
}

type List = readonly unknown[]

function isList(value: unknown): value is List {
  return Array.isArray(value)
}

function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

import { type Steps, atOnce } from '../steps.ts'
import { Draft, type Cause, type EndedRule, type Restoration } from './draft.ts'
import type { StatusDocument } from './document.ts'
import { type Edit, mergeEdit, restore } from './edits.ts'
import { Refusal } from './refusal.ts'
import { GENERATION_MAX, type SavedDocument, TARGETS_MAX } from './schema.ts'
import type { Target } from './target.ts'
import type { Clock } from './time.ts'

/** A change with a waiting client. If it throws, none of it is done; a `Refusal` is an expected "no". */
export type Change = (draft: Draft) => unknown

/** The outcome of one change: what it returned, why it was refused, or a defect of the program. */
export type Answer =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'defect'; readonly error: unknown }

/** A larger generation in a saved file is ignored: it must leave room for all commits to come. */
const GENERATION_TYPED_MAX = GENERATION_MAX / 2

/** Everything that one round decides, before any of it is on disk. */
export interface Step {
  readonly base: StatusDocument
  /** The next document; `base` itself if nothing changes. */
  readonly next: StatusDocument
  /** One answer for each change, in order. They are true once `next` is on disk. */
  readonly answers: readonly Answer[]
  /**
   * One for each edit, in order: why it was not merged, or `undefined`. Nothing of such an edit is in `next`. Anything but
   * a `Refusal` is a defect.
   */
  readonly editErrors: readonly unknown[]
  /** The causes of the changes, by the target's key. */
  readonly causes: ReadonlyMap<string, Cause>
  /** The targets that were changed. */
  readonly targets: readonly Target[]
  /** The older documents to which edits and changes have gone back, in order. */
  readonly restorations: readonly Restoration[]
  /** The rules that cover nothing any more, since the base. */
  readonly ended: readonly EndedRule[]
}

/**
 * Decides the next document: merges the edits, then stamps what time has changed, then makes the changes that were
 * asked for, in order. Pure: the same arguments always give the same step.
 */
export function decide(base: StatusDocument, edits: readonly Edit[], changes: readonly Change[], clock: Clock): Step {
  return atOnce(decideInSteps(base, edits, changes, clock))
}

/** The same, step by step, for those who have something else to do in between. */
export function* decideInSteps(
  base: StatusDocument,
  edits: readonly Edit[],
  changes: readonly Change[],
  clock: Clock,
): Steps<Step> {
  // A file with a larger generation may be the commit of a 0.1 server, which kept no record.
  const saved = edits.map((edit) => edit.saved.generation ?? 0).filter((typed) => typed <= GENERATION_TYPED_MAX)
  const draft = new Draft(base, clock, Math.max(base.generation, ...saved) + 1)
  const editErrors: unknown[] = []
  for (const edit of edits) editErrors.push(yield* errorOfMerge(draft, edit))
  yield* draft.passTime()
  const answers: Answer[] = []
  for (const change of changes) {
    answers.push(answerOf(draft, change))
    yield
  }
  const { causes, targets, restorations, ended, changed } = draft
  const next = changed ? draft.finish() : base
  return { base, next, answers, editErrors, causes, targets, restorations, ended }
}

/** The change that goes back to an older document, whatever generation it is of. */
export function restoration(older: SavedDocument): (draft: Draft) => Restoration {
  return (draft) => {
    const result = atOnce(bounded(draft, restore(draft, older)))
    draft.noteRestoration(result)
    return result
  }
}

/** Each side of a merge may be small enough, and what they make together not. */
function* bounded<T>(draft: Draft, merge: Steps<T>): Steps<T> {
  const { size } = draft
  const result = yield* merge
  if (draft.size > size && draft.size > TARGETS_MAX) {
    throw new Refusal(`must not make the document larger than ${TARGETS_MAX} targets`)
  }
  return result
}

/** Why an edit could not be merged; nothing of it is in the draft then. */
function* errorOfMerge(draft: Draft, edit: Edit): Steps<unknown> {
  try {
    yield* draft.attemptSteps(bounded(draft, mergeEdit(draft, edit)))
    return undefined
  } catch (error) {
    return error
  }
}

function answerOf(draft: Draft, change: Change): Answer {
  try {
    return { kind: 'done', value: draft.attempt(() => change(draft)) }
  } catch (error) {
    return error instanceof Refusal ? { kind: 'refused', refusal: error } : { kind: 'defect', error }
  }
}

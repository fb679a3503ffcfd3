/**
 * An expected "no" to a change, with a reason for the client. Anything else that is thrown while a change is
 * made is a defect of the program.
 */
export class Refusal extends Error {
  override readonly name: string = 'Refusal'
}

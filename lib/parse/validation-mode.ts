/**
 * What becomes of an event whose `data` breaks its DTO's rules. The envelope is checked in every mode.
 *
 * - `strict`: it is refused
 * - `lenient`: it passes, and the findings go to the handler
 * - `off`: nobody looks
 */
export type ValidationMode = 'strict' | 'lenient' | 'off';

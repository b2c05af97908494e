import { IsObject } from './class-validator.js';
import { ScalekitEventBase } from './scalekit-event.base.js';

/** An event of a type that this version of the library does not know. Only its envelope is checked. */
export class UnknownScalekitEvent extends ScalekitEventBase {
  @IsObject()
  readonly data!: Record<string, unknown>;
}

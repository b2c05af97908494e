import { IsNotEmpty, IsObject, IsString } from './class-validator.js';
import { KeyField, StringField } from './event-fields.js';

/** What every Scalekit event carries around its `data`. Names are as they come on the wire. */
export abstract class ScalekitEventBase {
  /** The event's identity (`evt_…`): a retried delivery carries the same one. */
  @KeyField()
  readonly id!: string;

  /** What happened, for example `organization.created`. */
  @KeyField()
  readonly type!: string;

  /** When it happened, in ISO 8601 with up to nine decimals of a second. */
  @IsString()
  @IsNotEmpty()
  readonly occurred_at!: string;

  /** The version of the envelope's format. */
  @StringField()
  readonly spec_version?: string | null;

  /** The Scalekit environment it happened in (`env_…`). */
  @StringField()
  readonly environment_id?: string | null;

  /** The organization it concerns (`org_…`). Some families of events have none. */
  @StringField()
  readonly organization_id?: string | null;

  /** The kind of thing that `data` describes. Scalekit varies it: decide by `type` instead. */
  @StringField()
  readonly object?: string | null;

  @StringField()
  readonly display_name?: string | null;
}

/** An event of a type that this version of the library does not know. Only its envelope is checked. */
export class UnknownScalekitEvent extends ScalekitEventBase {
  @IsObject()
  readonly data!: Record<string, unknown>;
}

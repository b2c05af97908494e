import { IsNotEmpty, IsObject, IsString } from 'class-validator';
import { KeyField, StringField } from './event-fields.js';

/** The envelope of every Scalekit event. Field names are the ones that Scalekit sends. */
export abstract class ScalekitEventBase {
  /** The id of the event (`evt_…`). It is the same in every delivery of the event. */
  @KeyField()
  readonly id!: string;

  /** What happened, for example `organization.created`. */
  @KeyField()
  readonly type!: string;

  /** When the event occurred, in ISO 8601 with up to nanosecond precision. */
  @IsString()
  @IsNotEmpty()
  readonly occurred_at!: string;

  /** The version of the event format. */
  @StringField()
  readonly spec_version?: string | null;

  /** The Scalekit environment of the event (`env_…`). */
  @StringField()
  readonly environment_id?: string | null;

  /** The organization of the event (`org_…`). Role, permission and connected account events have none. */
  @StringField()
  readonly organization_id?: string | null;

  /** The kind of object in `data`. It varies for the same type, so use `type` instead. */
  @StringField()
  readonly object?: string | null;

  @StringField()
  readonly display_name?: string | null;
}

/** An event whose type this version of the library does not know. Only its envelope is validated. */
export class UnknownScalekitEvent extends ScalekitEventBase {
  @IsObject()
  readonly data!: Record<string, unknown>;
}

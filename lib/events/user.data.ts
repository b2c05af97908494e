import { ArrayField, ObjectField, StringField } from './event-field.decorators.js';

/** A user as it stands inside the data of an event. */
export class User {
  /** `usr_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly email?: string | null;

  @StringField()
  readonly first_name?: string | null;

  @StringField()
  readonly last_name?: string | null;

  @StringField()
  readonly external_id?: string | null;

  @StringField()
  readonly create_time?: string | null;

  @StringField()
  readonly update_time?: string | null;

  @StringField()
  readonly last_login_time?: string | null;

  @ObjectField()
  readonly metadata?: Record<string, unknown> | null;

  @ObjectField()
  readonly user_profile?: Record<string, unknown> | null;
}

/** A signed-in session of a user. */
export class UserSession {
  /** `ses_…` */
  @StringField()
  readonly session_id?: string | null;

  @StringField()
  readonly user_id?: string | null;

  @StringField()
  readonly organization_id?: string | null;

  @StringField()
  readonly status?: string | null;

  @StringField()
  readonly created_at?: string | null;

  @StringField()
  readonly updated_at?: string | null;

  @StringField()
  readonly last_active_at?: string | null;

  @StringField()
  readonly absolute_expires_at?: string | null;

  @StringField()
  readonly idle_expires_at?: string | null;

  @StringField()
  readonly expired_at?: string | null;

  @StringField()
  readonly logout_at?: string | null;

  @ArrayField()
  readonly authenticated_organizations?: readonly string[] | null;

  @ObjectField()
  readonly device?: Record<string, unknown> | null;
}

import { BooleanField, NestedArrayField, ObjectField, StringField } from './event-field.decorators.js';

/** The fields of an organization that all events agree on. */
export abstract class OrganizationFields {
  /** `org_…` */
  @StringField()
  readonly id?: string | null;

  @StringField()
  readonly display_name?: string | null;

  /** Your own id for it, where you have set one. */
  @StringField()
  readonly external_id?: string | null;

  @StringField()
  readonly region_code?: string | null;

  @StringField()
  readonly create_time?: string | null;

  @StringField()
  readonly update_time?: string | null;

  @ObjectField()
  readonly metadata?: Record<string, unknown> | null;
}

/** An organization as it stands inside the data of an event. */
export class Organization extends OrganizationFields {
  @ObjectField()
  readonly settings?: Record<string, unknown> | null;
}

/** One feature of an organization, switched on or off. */
export class OrganizationFeature {
  @StringField()
  readonly name?: string | null;

  @BooleanField()
  readonly enabled?: boolean | null;
}

/** The settings of an organization. */
export class OrganizationSettings {
  @NestedArrayField(() => OrganizationFeature)
  readonly features?: readonly OrganizationFeature[] | null;
}

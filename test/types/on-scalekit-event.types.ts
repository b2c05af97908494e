/** Read by tsc alone: what `@OnScalekitEvent` lets compile. Each expected error fails the type check when it is gone. */
import {
  OnScalekitEvent,
  type OrganizationCreatedEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
  type UnknownScalekitEvent,
  type UserCreatedEvent,
  type UserDeletedEvent,
  unlistedScalekitEvent,
} from 'nestjs-scalekit-webhooks';

export class Fitting {
  @OnScalekitEvent('user.created')
  byName(_event: ScalekitEvent<'user.created'>) {}

  @OnScalekitEvent('user.created')
  byClass(_event: UserCreatedEvent, _delivery: ScalekitDelivery) {}

  @OnScalekitEvent('user.created')
  async withoutParameters() {
    return 'anything';
  }

  @OnScalekitEvent('user.created')
  wider(_event: ScalekitEvent<'user.*'>) {}

  @OnScalekitEvent('user.created')
  widest(_event: ScalekitEvent) {}

  @OnScalekitEvent('user.created')
  structural(_event: { readonly id: string }, _delivery: { readonly attempt: number }) {}

  @OnScalekitEvent(['user.created', 'user.deleted'])
  union(_event: UserCreatedEvent | UserDeletedEvent) {}

  @OnScalekitEvent('organization.*')
  pattern(_event: ScalekitEvent<'organization.*'>) {}

  @OnScalekitEvent('organization.directory.*')
  deeperPattern(_event: ScalekitEvent<'organization.directory.*'>) {}

  @OnScalekitEvent('*')
  every(_event: ScalekitEvent<'*'>) {}

  @OnScalekitEvent('user.created')
  @OnScalekitEvent('organization.created')
  stacked(_event: UserCreatedEvent | OrganizationCreatedEvent) {}

  @OnScalekitEvent(unlistedScalekitEvent('invoice.paid'))
  unlisted(_event: UnknownScalekitEvent) {}

  @OnScalekitEvent('user.created', { id: 'welcome', endpoint: ['staff'], timeoutMs: 1000 })
  options() {}

  @OnScalekitEvent('user.created', { latestOnly: true, order: 'entity' })
  ordered() {}

  @OnScalekitEvent('user.created', { order: (event) => event.data.user?.id ?? undefined })
  orderedByFunction() {}

  // @ts-expect-error: an organization has no user
  @OnScalekitEvent('organization.created', { order: (event) => event.data.user?.id })
  orderedByMistake() {}

  // @ts-expect-error: order takes no promise
  @OnScalekitEvent('user.created', { order: async () => 'usr_1' })
  orderedByPromise() {}

  @OnScalekitEvent('organization.*')
  unnarrowed(event: ScalekitEvent<'organization.*'>) {
    // @ts-expect-error: not every event of the pattern has a domain
    return event.data.domain;
  }
}

export class Unfit {
  // @ts-expect-error: another event
  @OnScalekitEvent('user.created')
  wrongEvent(_event: OrganizationCreatedEvent) {}

  // @ts-expect-error: a parameter that is no event
  @OnScalekitEvent('user.created')
  noEvent(_event: string) {}

  // @ts-expect-error: too narrow for the pattern
  @OnScalekitEvent('user.*')
  tooNarrow(_event: UserCreatedEvent) {}

  // @ts-expect-error: a star stands for whole parts of a name
  @OnScalekitEvent('organization.domain_*')
  notAPattern() {}

  // @ts-expect-error: too narrow for the array
  @OnScalekitEvent(['user.created', 'organization.created'])
  partOfTheArray(_event: UserCreatedEvent) {}

  // @ts-expect-error: too narrow for one of the stacked decorators
  @OnScalekitEvent('user.deleted')
  @OnScalekitEvent('user.created')
  partOfTheStack(_event: UserCreatedEvent) {}

  // @ts-expect-error: the second parameter is the delivery
  @OnScalekitEvent('user.created')
  wrongDelivery(_event: UserCreatedEvent, _delivery: string) {}

  // @ts-expect-error: there is no third argument
  @OnScalekitEvent('user.created')
  threeParameters(_event: UserCreatedEvent, _delivery: ScalekitDelivery, _third: string) {}

  // @ts-expect-error: a misspelt name
  @OnScalekitEvent('user.create')
  misspeltName() {}

  // @ts-expect-error: a misspelt pattern
  @OnScalekitEvent('users.*')
  misspeltPattern() {}

  // @ts-expect-error: a misspelt name in an array
  @OnScalekitEvent(['user.created', 'user.delete'])
  misspeltInArray() {}

  // @ts-expect-error: an empty array
  @OnScalekitEvent([])
  emptyArray() {}

  // @ts-expect-error: any text may be misspelt
  @OnScalekitEvent('user.created' as string)
  anyText() {}

  // @ts-expect-error: a misspelt option
  @OnScalekitEvent('user.created', { endpoints: 'staff' })
  misspeltOption() {}

  // @ts-expect-error: a static method has no instance
  @OnScalekitEvent('user.created')
  static onTheClass() {}

  // @ts-expect-error: a property is no method
  @OnScalekitEvent('user.created')
  property = (_event: UserCreatedEvent) => {};
}

export const modules = [
  ScalekitWebhooksModule.forRoot(),
  ScalekitWebhooksModule.forRootAsync({ useFactory: async () => ({ validation: 'lenient' as const }) }),
  // @ts-expect-error: the path is given beside the factory
  ScalekitWebhooksModule.forRootAsync({ useFactory: () => ({ path: 'too/late' }) }),
  // @ts-expect-error: a misspelt option
  ScalekitWebhooksModule.forRoot({ signingSecrets: 'whsec_' }),
  // @ts-expect-error: an outcome that does not exist
  ScalekitWebhooksModule.forRoot({ statusCodes: { done: 200 } }),
];

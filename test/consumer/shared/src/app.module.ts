import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import {
  NonRetryableEventError,
  OnScalekitEvent,
  type ScalekitDelivery,
  type ScalekitEvent,
  ScalekitWebhooksModule,
} from 'nestjs-scalekit-webhooks';

@Injectable()
export class Greetings implements OnModuleDestroy {
  readonly sent: string[] = [];
  #isClosed = false;

  send(email: string): void {
    if (this.#isClosed) throw new Error('the mailer is closed');
    this.sent.push(email);
  }

  onModuleDestroy(): void {
    this.#isClosed = true;
  }
}

/** Holds a handler until the application is closing. */
@Injectable()
export class Gate {
  begin: () => void = () => {};
  open: () => void = () => {};
  readonly begun = new Promise<void>((resolve) => {
    this.begin = resolve;
  });
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

@Injectable()
export class UserHandlers {
  constructor(
    private readonly greetings: Greetings,
    private readonly gate: Gate,
  ) {}

  @OnScalekitEvent('user.created')
  async welcome(event: ScalekitEvent<'user.created'>): Promise<void> {
    this.greetings.send(event.data.user?.email ?? '');
  }

  @OnScalekitEvent('role.created')
  async finishWhileClosing(): Promise<void> {
    this.gate.begin();
    await this.gate.opened;
    this.greetings.send('late@example.com');
  }

  @OnScalekitEvent(['organization.*', 'user.deleted'])
  refuse(event: ScalekitEvent<'organization.*' | 'user.deleted'>, delivery: ScalekitDelivery): void {
    throw new NonRetryableEventError(`${event.type} in ${delivery.id}`);
  }
}

@Module({
  imports: [
    ScalekitWebhooksModule.forRoot({
      signingSecret: `whsec_${Buffer.from('a made-up secret for this test..').toString('base64')}`,
    }),
  ],
  providers: [Gate, Greetings, UserHandlers],
})
export class AppModule {}

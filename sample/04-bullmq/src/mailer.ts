import { Injectable, Logger } from '@nestjs/common';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  /** The service sends only one email per key. */
  readonly idempotencyKey: string;
}

/** Stands in for an email service. */
@Injectable()
export class Mailer {
  readonly #logger = new Logger(Mailer.name);

  async send({ to, subject }: Mail): Promise<void> {
    this.#logger.log(`to ${to}: ${subject}`);
  }
}

import { Injectable, Logger } from '@nestjs/common';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  /** A mail with the same key again is not sent again. */
  readonly idempotencyKey: string;
}

/** Stands for a mail service. */
@Injectable()
export class Mailer {
  readonly #logger = new Logger(Mailer.name);

  async send({ to, subject }: Mail): Promise<void> {
    this.#logger.log(`to ${to}: ${subject}`);
  }
}

import { Injectable } from '@nestjs/common';

/** Which organizations are customers of ours. A real application asks its database. */
@Injectable()
export class TenantRegistry {
  readonly #members = new Map<string, Set<string>>([['org_customer', new Set()]]);

  isTenant(organizationId: string): boolean {
    return this.#members.has(organizationId);
  }

  add(organizationId: string, userId: string): void {
    this.#members.get(organizationId)?.add(userId);
  }

  membersOf(organizationId: string): readonly string[] {
    return [...(this.#members.get(organizationId) ?? [])];
  }
}

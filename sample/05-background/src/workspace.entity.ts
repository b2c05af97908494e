import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What this application sets up for each organization. */
@Entity('workspaces')
export class Workspace {
  @PrimaryColumn('text', { name: 'organization_id' })
  organizationId!: string;

  @Column('text')
  storage!: string;
}

"""Twenty ways to abuse a control plane, and where each is shown to fail.

What a package tests for itself is not written twice; the modules here hold what spans several services.

| | somebody... | tests |
|---|---|---|
| 1 | names another tenant's thing by its id | `test_tenants`, `tests/matrix` |
| 2 | lists what is others' | `test_tenants` |
| 3 | takes away a volume that a server uses | `volumes.test_connections_api`, `volumes.test_attachments_api` |
| 4 | attaches, extends and deletes one volume at once | `races.test_attach_races`, `races.test_volume_races` |
| 5 | stores an image that names a file of the host | `test_outside`: no image is read here; bytes are bytes |
| 6 | gives an address to be asked | `test_outside`: none is |
| 7 | writes a program into a label | `test_texts` |
| 8 | sets what only we set | `test_tenants`, `bays.test_bad_values` |
| 9 | uses an Idempotency-Key again | `test_keys`, `api.test_idempotency`, `races.test_idempotency` |
| 10 | comes with a token that is none | `test_tokens`, `identity.test_tokens` |
| 11 | reads a credential inside a bay | skipped: the demo driver puts none there |
| 12 | has Heat answer with secrets or without end | `clouds.test_errors`, `clouds.test_faults`, `test_texts` |
| 13 | counts in other numbers than ours | `test_numbers`, `bays.test_bad_values`, `volumes.test_bad_input` |
| 14 | has a name that is more than a name | `test_texts` |
| 15 | sends JSON that has no end | `test_bodies`, `api.test_parsing`, `project.test_worker` |
| 16 | creates a thousand at once | `races.test_quota_limits`, `races.test_volume_races` |
| 17 | asks without end | `identity.test_throttles`, `project.test_worker`, `project.test_shares`, `test_bodies` |
| 18 | forges a message | `test_messages`, `workers.test_answers` |
| 19 | goes to an operator's door by another way | `test_doors` |
| 20 | learns from what differs | `test_tenants` |
"""

from __future__ import annotations

from securehub.client import main

raise SystemExit(main())

"""/api: what the pages show and change, for programs. Tokens or the session's cookie open it."""

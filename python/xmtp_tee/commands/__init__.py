"""The commands of ``xmtp-tee``, a module each, imported when they are called."""

"""Sends what is due to each hook, one after the other; a slow hook does not hold up the others."""

import logging
import ssl
from threading import Lock, Thread

import httpx

from edge.base.closeable import Closeable
from edge.web.accounts.database import AccountsError
from edge.web.webhooks.addresses import WebhookError, resolve
from edge.web.webhooks.hooks import Hook, Hooks
from edge.web.webhooks.queue import Delivery, Queue
from edge.web.webhooks.signature import signed_headers

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each whole address

TIMEOUT_S = 10.0
PAUSE_S = 60.0
GONE = 410


class Sender(Closeable):
    """Sends in threads of its own, at most one for each hook."""

    def __init__(self, hooks: Hooks, queue: Queue) -> None:
        self._hooks, self._queue = hooks, queue
        self._client = httpx.Client(
            verify=ssl.create_default_context(),  # the system's authorities, or SSL_CERT_FILE's
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,  # a proxy would connect to addresses that nobody has checked
        )
        self._lock, self._busy = Lock(), set[str]()
        self._paused: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    def send_due(self) -> None:
        """Begin to send to all hooks that are not disabled and not paused."""
        for one in self._hooks.all():
            paused = self._paused.get(one.id, 0.0) > self._hooks.clock()
            if one.disabled or paused:
                continue
            with self._lock:
                if one.id in self._busy:
                    continue
                self._busy.add(one.id)
            Thread(target=self._send_all, args=(one,), name="webhook", daemon=True).start()

    def _send_all(self, to: Hook) -> None:
        try:
            for one in self._queue.due(to):
                if not self._send(to, one):
                    break
        except AccountsError as error:
            log.error("webhooks are not sent: %s", error)
        except Exception:
            log.exception("sending to a webhook failed")
        finally:
            with self._lock:
                self._busy.discard(to.id)

    def _send(self, to: Hook, one: Delivery) -> bool:
        """Whether it has arrived. After a failure the hook is left alone for a while."""
        status, answer = self._post(to, one)
        if 200 <= status < 300:
            self._queue.sent(one, answer)
            self._failures.pop(to.id, None)
            return True
        failures = self._failures[to.id] = self._failures.get(to.id, 0) + 1
        self._paused[to.id] = self._hooks.clock() + min(2.0**failures, PAUSE_S)
        why = self._queue.failed(one, answer, is_gone=status == GONE)
        if why:
            log.error("the webhook %s is disabled: %s", to.name, why)
        return False

    def _post(self, to: Hook, one: Delivery) -> tuple[int, str]:
        """The status, 0 where there is none, and a text for the log."""
        try:
            target = resolve(to.url, is_local=to.is_local)
            headers = signed_headers(
                to.secret, one.message_id, int(self._hooks.clock()), one.body
            ) | {
                "content-type": "application/json",
                "host": target.header,
                "user-agent": "draem-webhooks",
            }
            request = self._client.build_request(
                "POST", target.url, content=one.body.encode(), headers=headers,
                extensions={"sni_hostname": target.host},
            )  # fmt: skip
            response = self._client.send(request, stream=True)
            response.close()
        except (httpx.HTTPError, WebhookError, OSError) as error:
            return 0, f"{type(error).__name__}: {error}"[:300]
        status = response.status_code
        if 300 <= status < 400:
            return status, f"{status}: redirects are not followed, correct the address"
        return status, str(status)

    def close(self) -> None:
        self._client.close()

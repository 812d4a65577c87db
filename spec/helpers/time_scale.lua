--- By how much the times that specs judge are longer here than on a common machine: PUSHER_TIME_SCALE, or 1.
-- Sanitizers and emulators need more.

return tonumber(os.getenv("PUSHER_TIME_SCALE")) or 1

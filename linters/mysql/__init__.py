"""What statements of MySQL and MariaDB do: by which algorithm, and who waits meanwhile."""
